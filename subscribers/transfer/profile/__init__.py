"""The export files of other services, one file and one table a service."""
