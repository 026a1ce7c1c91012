"""What happened to whom, read or not, in which way they want to hear of it, and the post that tells them."""
