// Package resident gives the machine back what a start touched.
//
// A start walks through a large part of the program: it makes the tables of all packages and reads the descriptions of their types. Those pages of the
// program's file stay in the process and count as its memory, though most of them are never needed again. [Trim] takes them out of the process. They stay in the machine's cache of files
// as long as the machine has room for them, so a page that is needed after all comes back without reading the disk.
//
// Only Linux is asked; elsewhere Trim does nothing.
package resident
