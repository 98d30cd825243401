//! The card: what made a number, and whether two numbers may be compared.
