"""The SimPy shell: everything that has duration."""
