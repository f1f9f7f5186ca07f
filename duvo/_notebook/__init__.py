"""Output for notebooks: tables, and a display that is updated."""
