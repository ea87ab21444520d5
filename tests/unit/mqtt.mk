# mqtt's unit tests
