"""Days of whole platforms: the rows of several sources that tell of the same people and things."""
