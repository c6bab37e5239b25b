// Package debuggers attaches real debuggers to functions that the command line has opened for them: debugpy, Delve and the gem debug, over the Debug
// Adapter Protocol that they all speak. What package lambda holds of Node.js and Java is not repeated here.
package debuggers
