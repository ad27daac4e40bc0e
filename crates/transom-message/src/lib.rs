//! What is inside the envelope: header section, trace fields, delivery status notifications.
