# jwt's unit tests
