mod feed;
mod rows;
mod verbs;
