"""How does one part of Prepwatch wake another?"""
