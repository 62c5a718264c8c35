"""Questions as people get them: a page, a table, a project of Label Studio, and the standard to decide by."""
