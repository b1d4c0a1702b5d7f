"""What was recorded, judged once more: by today's parser, and the newsletter's policy of today."""
