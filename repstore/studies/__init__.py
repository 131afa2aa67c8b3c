"""Published studies as commands: what a study reports, for any model, from a store."""
