//! What can be wrong with a search's inputs.

/// Why a search could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// Values that are not whole rows.
    #[error(
        "The {what} hold {values} values, which is not a whole number of rows of {dim} values: pass whole rows."
    )]
    Shape {
        /// Queries or database.
        what: &'static str,
        /// Values given.
        values: usize,
        /// Values of one row.
        dim: usize,
    },
    /// Queries and database of different length.
    #[error(
        "The queries have {queries} values each and the database rows {database}, so no inner product exists: \
         extract both with the same model and whitening."
    )]
    Dimensions {
        /// Values of a query.
        queries: usize,
        /// Values of a database row.
        database: usize,
    },
    /// More rows than an index of 32 bits can name.
    #[error("The database has {rows} rows and one search covers at most 4294967295: search it in parts.")]
    TooManyRows {
        /// Rows given.
        rows: usize,
    },
    /// A list per query of another length than the queries.
    #[error("There are {lists} {what} for {queries} queries: pass one for each.")]
    Lists {
        /// Which lists.
        what: &'static str,
        /// Lists given.
        lists: usize,
        /// Queries given.
        queries: usize,
    },
    /// A row that the database lacks.
    #[error("Row {row} was asked for, but the database has only {rows} rows, counted from 0.")]
    NoSuchRow {
        /// The row.
        row: usize,
        /// Rows of the database.
        rows: usize,
    },
    /// A graph of neighbours, or the state of one, that does not belong to the rows.
    #[error(
        "The graph of neighbours does not fit the rows: {0}. Give the graph that was made of these rows."
    )]
    Graph(&'static str),
}
