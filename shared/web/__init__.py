"""How is that asked over HTTP: by a program, in a browser?"""
