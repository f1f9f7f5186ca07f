"""The database: where it is, its schema, its lock and its health."""
