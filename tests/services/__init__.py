"""Real servers for the tests, each on a free loopback port and gone when the tests are."""
