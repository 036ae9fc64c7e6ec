"""PDF: letters to lines, columns, paragraphs, figures, tables and footnotes."""
