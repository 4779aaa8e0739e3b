"""An independent, unit-by-unit oracle of the money rules, and generators of journals to put to it."""
