# registry's unit tests
