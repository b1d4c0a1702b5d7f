"""What is known of people beside name and language: attributes of declared names and kinds."""
