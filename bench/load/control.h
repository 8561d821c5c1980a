#ifndef CONTROL_H
#define CONTROL_H
void control(int window, int bytes);
#endif
