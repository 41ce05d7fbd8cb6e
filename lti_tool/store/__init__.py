"""The database: tables, engine, and queries that return frozen views. No other room imports tables."""
