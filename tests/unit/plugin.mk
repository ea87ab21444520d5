# plugin's unit tests
