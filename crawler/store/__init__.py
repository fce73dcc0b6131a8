"""The SQLite file: migrations, sealed fields, audit chain, and one module per family of tables."""
