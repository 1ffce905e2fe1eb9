"""Do the outputs resemble and cover what they should?"""
