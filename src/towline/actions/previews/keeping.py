"""What the conductor does about previews now and then: expire, let guests in, and remove what is left of others."""

from towline.actions.guests import admit_guests
from towline.actions.platform import Platform
from towline.actions.previews.copying import copy_data
from towline.actions.previews.expiring import expire_and_cap
from towline.actions.previews.removing import remove_previews


async def look_after_previews(platform: Platform) -> bool:
    """One round over all previews, each step repeatable; whether any went, and with it the need for its images."""
    await expire_and_cap(platform)
    await admit_guests(platform)
    await copy_data(platform)
    return await remove_previews(platform) > 0
