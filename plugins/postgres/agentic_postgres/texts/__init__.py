"""What TEXT_INDEX=postgres keeps: the words of documents."""
