"""What tabs share: the sidebar, input components, links, images as the page shows them, the theme."""
