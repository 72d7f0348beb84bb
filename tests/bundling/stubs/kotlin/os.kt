package android.os

object Build {
    const val MANUFACTURER = "Maker"
    const val MODEL = "Phone 1"
    const val HARDWARE = "chip"

    object VERSION {
        const val RELEASE = "15"
    }
}
