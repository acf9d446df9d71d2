/* The random numbers that Rust's library asks Windows for, where a Wine of before 9 does not have them.
   For tests only: no package holds it. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID place, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE place, SIZE_T size)
{
    return SystemFunction036(place, (ULONG)size);
}
