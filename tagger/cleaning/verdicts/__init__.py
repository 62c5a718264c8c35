"""What people answered: read from files, checked, and kept in the catalog as their words."""
