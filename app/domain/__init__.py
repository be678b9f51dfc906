"""Pure rules of pay, titles and places: no framework, no SQL, no clock, no I/O."""
