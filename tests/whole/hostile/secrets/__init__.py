"""Does any secret of ours, or of Batch's texts, come out by any error path?"""
