"""Issues that anybody may read: which they are, and issues of earlier days taken in."""
