"""What every page of HTML is made of: the frame of a page, its style, tables, pictures within the page."""
