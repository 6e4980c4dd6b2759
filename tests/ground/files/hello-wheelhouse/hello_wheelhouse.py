"""A package that says where it came from."""


def greeting() -> str:
    """Return the greeting."""
    return "hello from your own index"


if __name__ == "__main__":
    print(greeting())
