//! Bodies of the fuzz targets, as plain functions that the smoke test replays.
