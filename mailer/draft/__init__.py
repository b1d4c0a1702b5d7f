"""What Pressrun does to an author's own file: begin it, add to it, fill in what pages say.

Nothing here is done while rendering, and nothing that the author wrote is changed.
"""
