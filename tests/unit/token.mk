# token's unit tests
