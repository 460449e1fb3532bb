class IOReport: pass
class Program: pass
class Roofline: pass
def compile(): pass
