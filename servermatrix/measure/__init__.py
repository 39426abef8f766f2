"""The only room that starts processes, opens sockets and looks at the machine."""
