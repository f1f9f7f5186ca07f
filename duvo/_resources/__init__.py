"""What hangs on a client: a noun a file, with its public class and its calls."""
