/* The program around the fixtures; as a shared library it is left out. */
int deep_entry(int x);
int deep_twice(int x);
int deep_clone(int x);
int call_a(int x);
int call_b(int x);
int cxx_entry(int x);

int main(int argc, char **argv)
{
	(void)argv;
	return deep_entry(argc) + deep_twice(argc) + deep_clone(argc) + call_a(argc) + call_b(argc) + cxx_entry(argc) == 0;
}
