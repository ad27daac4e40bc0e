mod rows;
mod verbs;
