"""python -m hourglass: validate, show, schema, new."""
