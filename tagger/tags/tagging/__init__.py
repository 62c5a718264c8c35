"""An album tagged: photos looked at ahead (looking), a batch at a time (album), into lines and tables (tag_file)."""
