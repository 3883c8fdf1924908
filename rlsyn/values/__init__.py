"""Values as a file writes them: numbers, dates, identifiers and categories in text, and how they are told."""
