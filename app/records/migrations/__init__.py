"""How the tables came to be, step by step: env.py is run by Alembic, versions/ holds the steps."""
