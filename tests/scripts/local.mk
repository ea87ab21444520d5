# tests of the scripts
