//! What the tests share. Nothing here is part of the filter.

pub mod outside_data;
